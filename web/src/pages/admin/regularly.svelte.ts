/** Do something every so many seconds while a component lives and the page is looked at. */
export function regularly(seconds: number, act: () => void): void {
  $effect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && act(), seconds * 1000);
    return () => clearInterval(timer);
  });
}
