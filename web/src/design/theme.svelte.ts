// Light or dark: as the system has it, until somebody chooses.
import { keep, kept } from '../i18n/kept';

export const THEMES = ['system', 'light', 'dark'] as const;
export type ThemeName = (typeof THEMES)[number];

class Theme {
  chosen = $state<ThemeName>('system');

  begin(): void {
    const known = kept('theme');
    this.#show(known === 'light' || known === 'dark' ? known : 'system');
  }
  choose(name: ThemeName): void {
    keep('theme', name === 'system' ? null : name);
    this.#show(name);
  }
  #show(name: ThemeName): void {
    this.chosen = name;
    if (name === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
  }
}
export const theme = new Theme();
