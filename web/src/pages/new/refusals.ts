// What is refused, at the field it concerns.
import type { ApiProblem } from '../../api';
import { primary } from './languages';

const PLACES = [
  'source',
  'spoken',
  'targets',
  'range',
  'voices',
  'who',
  'statement',
  'consent_id',
  'subtitles',
  'speakers',
  'glossary',
  'terms',
  'tone',
  'formality',
  'instructions',
  'loudness',
  'engines',
  'title',
  'budget',
  'priority',
  'retention_days',
] as const;
export type Place = (typeof PLACES)[number];

export interface Refusal {
  /** Null: it belongs to no field. */
  place: Place | null;
  code: string;
  text: string;
  hint: string;
  /** The target it is about, where it is about one of several. */
  target: string | null;
  /** The role it is about, at `engines`. */
  role: string | null;
}

/** What was asked when it was refused. */
export interface Asked {
  targets: readonly string[];
  spoken: string | null;
  /** Role -> engine. */
  engines: Readonly<Record<string, string>>;
}

const OF_FIELD: Record<string, Place> = {
  source: 'source',
  upload: 'source',
  file: 'source',
  sources: 'source',
  target: 'targets',
  targets: 'targets',
  start: 'range',
  end: 'range',
  clone_voices: 'voices',
  match_voices: 'voices',
  keep_voices: 'voices',
  consent: 'statement',
  captions: 'subtitles',
  options: 'engines',
};
const OF_CODE: Record<string, Place> = {
  unsupported_source: 'source',
  too_large: 'source',
  unreachable: 'source',
  consent_missing: 'statement',
  bad_subtitles: 'subtitles',
  unknown_engine: 'engines',
  unknown_language: 'targets',
};

function ofField(name: string): Place | null {
  if (name in OF_FIELD) return OF_FIELD[name]!;
  return (PLACES as readonly string[]).includes(name) ? (name as Place) : null;
}

interface Where {
  place: Place | null;
  target: string | null;
  role: string | null;
}
/** `wishes.engines.translator`, `sources.0.source`, `sources.0, targets.1` ... as a field of the page. */
function at(where: string, why: string, asked: Asked): Where {
  const pair = /targets\.(\d+)/.exec(where);
  if (pair) {
    const target = asked.targets[Number(pair[1])] ?? null;
    return { place: 'targets', target, role: null };
  }
  const parts = where.replace(/^wishes\.|^sources\.\d+\.?/, '').split('.');
  const name = parts[0] ?? '';
  if (name === 'consent' && (parts[1] === 'who' || parts[1] === 'statement'))
    return { place: parts[1], target: null, role: null };
  if (name === 'engines' || name === 'options')
    return { place: 'engines', target: null, role: parts[1] ?? null };
  if (!name && where.startsWith('sources')) return { place: 'source', target: null, role: null };
  const place = ofField(name) ?? (name ? null : named(why));
  return { place, target: null, role: null };
}

/** The field that a sentence speaks of in `backticks`, or whose name it begins with. */
function named(text: string): Place | null {
  for (const [, word] of text.matchAll(/`(\w+)`/g)) {
    const place = ofField(word ?? '');
    if (place) return place;
  }
  return ofField(/^(?:give either )?(\w+)/.exec(text)?.[1] ?? '');
}

/** A refusal that names no field: by what it says of what was asked. */
function guessed(problem: ApiProblem, asked: Asked): Where {
  const { code, message, hint } = problem;
  const nobody: Where = { place: null, target: null, role: null };
  const byUser = Object.keys(asked.engines).find((role) => {
    return message.includes(asked.engines[role]!) && message.toLowerCase().includes(role);
  });
  if (byUser) return { ...nobody, place: 'engines', role: byUser };
  if (code === 'forbidden' && /option/.test(message)) {
    const role = /of (\w+)\./.exec(message)?.[1] ?? null;
    return { ...nobody, place: 'engines', role };
  }
  if (code === 'engine_cannot') {
    if (/clon/i.test(message)) return { ...nobody, place: 'voices' };
    if (/transcriber|recognis/i.test(message) && !/is what the dub/.test(message))
      return { ...nobody, place: 'spoken' };
    if (/downloader/i.test(message)) return { ...nobody, place: 'source' };
    if (/subtitles/i.test(message)) return { ...nobody, place: 'subtitles' };
    return { ...nobody, place: 'targets', target: asked.targets.length === 1 ? asked.targets[0]! : null };
  }
  if (code === 'not_found') {
    if (/glossary/.test(message)) return { ...nobody, place: 'glossary' };
    if (/consent/.test(message)) return { ...nobody, place: 'consent_id' };
    if (/upload/.test(message)) return { ...nobody, place: 'source' };
  }
  if (code === 'bad_option') {
    if (/range|ends at/.test(message)) return { ...nobody, place: 'range' };
    if (/subtitles/i.test(message)) return { ...nobody, place: 'subtitles' };
    if (/The upload/.test(message)) return { ...nobody, place: 'source' };
  }
  if (code === 'unsupported_source' || /has no sound/.test(message)) return { ...nobody, place: 'source' };
  if (code === 'unknown_language' && asked.spoken && /Source and target/.test(message))
    return { ...nobody, place: 'spoken' };
  const place = OF_CODE[code] ?? named(hint.replace(/`target`.*/, '')) ?? named(message) ?? null;
  return { ...nobody, place };
}

/** A sentence with a capital and a full stop. */
function sentence(text: string): string {
  const said = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(said) ? said : `${said}.`;
}

/** Everything that a refusal says, field by field. */
export function refusals(problem: ApiProblem, asked: Asked): Refusal[] {
  const fields = (problem.fields ?? []) as { where?: unknown; why?: unknown }[];
  if (!fields.length) {
    const { code, message: text, hint } = problem;
    return [{ ...guessed(problem, asked), code, text, hint }];
  }
  return fields.map(({ where, why }) => {
    const found = at(String(where ?? ''), String(why ?? ''), asked);
    const hint = problem.code === 'bad_request' ? '' : problem.hint;
    return { ...found, code: problem.code, text: sentence(String(why ?? problem.message)), hint };
  });
}

/** Whether a refusal of one target among several is about this one. */
export const concerns = (refusal: Refusal, tag: string): boolean =>
  refusal.target !== null && primary(refusal.target) === primary(tag);
