// How an attempt runs or ran: asked for anew when something has happened, at most once a second.
import { api, isAborted, problemOf, type ApiProblem, type JobLive } from '../../api';
import type { Attempt } from './stages';

const EVERY = 1000;

export interface Running {
  readonly data: Attempt | undefined;
  readonly problem: ApiProblem | undefined;
  reload: () => void;
}

/** An attempt of a job while a component lives; `which` null is the newest. */
export function running(live: () => JobLive, which: () => number | null): Running {
  let data = $state.raw<Attempt>();
  let problem = $state.raw<ApiProblem>();
  let round = $state(0);
  let last = 0;
  let asked: number | null | undefined;
  const id = $derived(live().job?.id);
  const happened = $derived(live().events.length);

  $effect(() => {
    void [round, happened];
    const attempt = which();
    if (!id) return;
    const stop = new AbortController();
    const wait = attempt === asked ? Math.max(0, EVERY - (Date.now() - last)) : 0;
    const timer = setTimeout(() => {
      last = Date.now();
      asked = attempt;
      const query = attempt === null ? {} : { attempt };
      api.get('/api/v1/jobs/{job}/stages', { path: { job: id }, query, signal: stop.signal }).then(
        (got) => {
          data = got;
          problem = undefined;
        },
        (thrown: unknown) => {
          if (!isAborted(thrown)) problem = problemOf(thrown);
        },
      );
    }, wait);
    return () => {
      clearTimeout(timer);
      // An answer that is under way is good for what it is; only one for another attempt is not wanted.
      if (which() !== attempt) stop.abort();
    };
  });

  return {
    get data() {
      return data;
    },
    get problem() {
      return problem;
    },
    reload: () => (round += 1),
  };
}
