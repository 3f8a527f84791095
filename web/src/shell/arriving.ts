/**
 * Put the focus on the heading of the page that is shown, and on the one that takes its place once the page has
 * loaded, until somebody does something. Returns how to leave off.
 */
export function toHeading(): () => void {
  const focus = (): void => {
    document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true });
  };
  const watch = new MutationObserver(() => {
    if (!document.activeElement || document.activeElement === document.body) focus();
  });
  const stop = (): void => {
    watch.disconnect();
    for (const kind of ['keydown', 'pointerdown']) removeEventListener(kind, stop, true);
  };
  focus();
  watch.observe(document.body, { childList: true, subtree: true });
  for (const kind of ['keydown', 'pointerdown']) addEventListener(kind, stop, true);
  return stop;
}
