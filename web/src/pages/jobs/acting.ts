// What people do with dubs: stop, try again, delete; one or many.
import { api, connection, jobsLive, problemOf, type ApiProblem, type JobRow } from '../../api';
import { ask, toast } from '../../design';
import { t } from '../../i18n/index.svelte';
import { toldLine } from '../../i18n/told';

export type Act = 'cancel' | 'retry' | 'delete';
type Row = Pick<JobRow, 'id' | 'title' | 'state' | 'stopping' | 'progress'>;

export const isUnderWay = (job: Pick<JobRow, 'state'>): boolean =>
  job.state === 'queued' || job.state === 'processing';

/** Whether something can be done with a job now. */
export function may(act: Act, job: Row): boolean {
  if (act === 'cancel') return isUnderWay(job) && !job.stopping;
  if (act === 'retry') return job.state === 'failed' || job.state === 'cancelled';
  return true;
}

/** Do it, and have the list know. Throws ApiProblem. */
async function perform(act: Act, id: string): Promise<void> {
  const path = { job: id };
  if (act === 'cancel') jobsLive.put(await api.post('/api/v1/jobs/{job}/cancel', { path }));
  else if (act === 'retry') jobsLive.put(await api.post('/api/v1/jobs/{job}/retry', { path }));
  else await api.delete('/api/v1/jobs/{job}', { path });
}

const TRIES = 5;
/** Do it with several, one after the other; a server that wants us to wait is waited for. */
export async function performAll(
  act: Act,
  ids: readonly string[],
  tell: (done: number) => void = () => undefined,
): Promise<{ done: number; problems: ApiProblem[] }> {
  const problems: ApiProblem[] = [];
  let done = 0;
  for (const id of ids) {
    for (let tries = 1; ; tries++) {
      try {
        await perform(act, id);
        done += 1;
        break;
      } catch (thrown) {
        const problem = problemOf(thrown);
        if (act === 'delete' && problem.status === 404) {
          done += 1; // somebody else was faster: it is gone
          break;
        }
        if (problem.status === 429 && tries < TRIES) {
          await connection.pause((problem.after ?? 1) * 1000);
          continue;
        }
        problems.push(problem);
        break;
      }
    }
    tell(done + problems.length);
  }
  return { done, problems };
}

/** What is lost with these, in sentences. */
export function losses(jobs: readonly Row[]): string {
  const finished = jobs.filter((job) => job.state === 'completed').length;
  const under = jobs.filter(isUnderWay).length;
  const rest = jobs.length - finished - under;
  const said: string[] = [];
  if (finished) said.push(t('jobs.lose.finished', { count: finished }));
  if (under) said.push(t('jobs.lose.underWay', { count: under }));
  if (rest) said.push(t('jobs.lose.rest', { count: rest }));
  said.push(t('jobs.lose.forGood'));
  return said.join(' ');
}

/** Ask where something would be lost; whether to go on. */
async function isMeant(act: Act, jobs: readonly Row[]): Promise<boolean> {
  if (act === 'retry') return true;
  const count = jobs.length;
  const first = jobs[0];
  if (!first) return false;
  if (act === 'cancel') {
    if (count === 1) return true;
    return ask({
      title: t('jobs.cancel.title', { count }),
      text: t('jobs.cancel.text'),
      yes: t('jobs.cancel.yes', { count }),
      no: t('jobs.cancel.no'),
      danger: true,
    });
  }
  return ask({
    title: count === 1 ? t('jobs.delete.one', { title: first.title }) : t('jobs.delete.many', { count }),
    text: losses(jobs),
    yes: count === 1 ? t('jobs.delete') : t('jobs.delete.yes', { count }),
    danger: true,
  });
}

/** Ask, do it, and say what came of it; whether anything was done. */
export async function carryOut(
  act: Act,
  jobs: readonly Row[],
  tell?: (done: number) => void,
): Promise<boolean> {
  const able = jobs.filter((job) => may(act, job));
  if (!able.length || !(await isMeant(act, able))) return false;
  const { done, problems } = await performAll(
    act,
    able.map((job) => job.id),
    tell,
  );
  if (done && (act === 'delete' || able.length > 1)) toast.good(t(`jobs.done.${act}`, { count: done }));
  const [first] = problems;
  if (first && able.length > 1) {
    toast.show('bad', t('jobs.done.not', { count: problems.length }), { hint: toldLine(first) });
  } else if (first) toast.problem(first);
  return done > 0;
}
