// The page's colours as a canvas needs them: what a property comes to, by day or by night.
import type { Palette } from './painting';

export function paletteOf(place: HTMLElement): Palette {
  const probe = document.createElement('span');
  place.append(probe);
  const colour = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    speakers: [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`speaker-${number}`)),
    text: colour('text'),
    faint: colour('text-3'),
    line: colour('line'),
    surface: colour('surface'),
    warn: colour('warn'),
    accent: colour('accent'),
  };
  probe.remove();
  return palette;
}

/** Tell whenever the page's colours change. */
export function onTheme(told: () => void): () => void {
  const night = matchMedia('(prefers-color-scheme: dark)');
  const watch = new MutationObserver(told);
  watch.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  night.addEventListener('change', told);
  return () => {
    watch.disconnect();
    night.removeEventListener('change', told);
  };
}
