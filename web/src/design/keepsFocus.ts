/**
 * An attachment for what changes under somebody's hands: where the element that has the focus goes away, the focus
 * stays here, so that keys and screen readers go on from this place. Its element needs `tabindex="-1"`.
 */
export function keepsFocus(box: HTMLElement): () => void {
  let last: Element | null = null;
  const note = (event: FocusEvent): void => {
    last = event.target as Element;
  };
  const watch = new MutationObserver(() => {
    if (!last || last.isConnected) return;
    last = null;
    if (!document.activeElement || document.activeElement === document.body)
      box.focus({ preventScroll: true });
  });
  box.addEventListener('focusin', note);
  watch.observe(box, { childList: true, subtree: true });
  return () => {
    box.removeEventListener('focusin', note);
    watch.disconnect();
  };
}
