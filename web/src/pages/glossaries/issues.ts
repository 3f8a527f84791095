// What is wrong with a row, or odd, in words.
import { fmt, t } from '../../i18n/index.svelte';
import type { Issue } from './table';

export function issueWords(issue: Issue): string {
  const given = { other: issue.other ?? 0, language: issue.language ? fmt.language(issue.language) : '' };
  if (issue.kind === 'conflict')
    return t(issue.language ? 'glossaries.issue.conflictIn' : 'glossaries.issue.conflict', given);
  return t(`glossaries.issue.${issue.kind}`, given);
}
