// The choices of the last dub, kept by this browser.
import { keep, kept } from '../../i18n/kept';

const NAME = 'new';
export interface Remembered {
  targets?: string[];
  voices?: 'stock' | 'match';
  keepOriginal?: boolean;
  loudness?: string;
  formality?: '' | 'formal' | 'informal';
  glossary?: string;
  engines?: Record<string, string>;
  priority?: string;
  retention?: string;
}

/** What was chosen the last time; nothing where it cannot be read. */
export function remembered(): Remembered {
  try {
    const found: unknown = JSON.parse(kept(NAME) ?? '{}');
    return typeof found === 'object' && found !== null && !Array.isArray(found) ? found : {};
  } catch {
    return {};
  }
}

export function remember(choices: Remembered): void {
  keep(NAME, JSON.stringify(choices));
}
