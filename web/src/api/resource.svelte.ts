// Something that a page shows and the server has: loading, there, or refused.
import { isAborted, problemOf, type ApiProblem } from './problem';

export interface Resource<T> {
  /** What was got last; stays while it is got again. */
  readonly data: T | undefined;
  readonly problem: ApiProblem | undefined;
  readonly isLoading: boolean;
  /** Get it again. */
  reload: () => void;
  /** Put in what a change has answered. */
  set: (data: T) => void;
}

/**
 * Get something while a component lives: `const jobs = resource((signal) => api.get('/api/v1/jobs', { signal }))`.
 * It is got again whenever something reactive that `get` reads before its first `await` changes.
 */
export function resource<T>(get: (signal: AbortSignal) => Promise<T>): Resource<T> {
  let data = $state.raw<T>();
  let problem = $state.raw<ApiProblem>();
  let isLoading = $state(true);
  let round = $state(0);

  $effect(() => {
    void round;
    const stop = new AbortController();
    isLoading = true;
    get(stop.signal).then(
      (got) => {
        if (stop.signal.aborted) return;
        data = got;
        problem = undefined;
        isLoading = false;
      },
      (thrown: unknown) => {
        if (stop.signal.aborted || isAborted(thrown)) return;
        problem = problemOf(thrown);
        isLoading = false;
      },
    );
    return () => stop.abort();
  });

  return {
    get data() {
      return data;
    },
    get problem() {
      return problem;
    },
    get isLoading() {
      return isLoading;
    },
    reload: () => (round += 1),
    set: (got: T) => {
      data = got;
      problem = undefined;
    },
  };
}
