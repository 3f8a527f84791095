// The time, for words such as "5 minutes ago".

/** Seconds since 1970, looked at anew every so many seconds while a component lives. */
export function ticking(every: () => number): { readonly now: number } {
  let now = $state(Date.now() / 1000);
  $effect(() => {
    now = Date.now() / 1000;
    const timer = setInterval(() => (now = Date.now() / 1000), every() * 1000);
    return () => clearInterval(timer);
  });
  return {
    get now() {
      return now;
    },
  };
}
