// What keys do in the studio. One table: the keys that work are the keys that the sheet lists.
export type Act =
  | 'play'
  | 'hear'
  | 'hearSource'
  | 'loop'
  | 'swap'
  | 'back'
  | 'forward'
  | 'next'
  | 'previous'
  | 'edit'
  | 'problem'
  | 'problemBack'
  | 'split'
  | 'merge'
  | 'add'
  | 'remove'
  | 'lock'
  | 'keep'
  | 'startHere'
  | 'endHere'
  | 'earlier'
  | 'later'
  | 'undo'
  | 'redo'
  | 'find'
  | 'regenerate'
  | 'zoomIn'
  | 'zoomOut'
  | 'fit'
  | 'help';
export interface Shortcut {
  act: Act;
  /** As a KeyboardEvent has it; with `mod` Ctrl, or Command on a Mac. */
  key: string;
  mod?: boolean;
  shift?: boolean;
  alt?: boolean;
  /** Works also while something is typed. */
  typing?: boolean;
  group: 'play' | 'move' | 'edit' | 'view';
}

export const SHORTCUTS: readonly Shortcut[] = [
  { act: 'play', key: ' ', group: 'play' },
  { act: 'play', key: ' ', mod: true, typing: true, group: 'play' },
  { act: 'hear', key: 'p', group: 'play' },
  { act: 'hear', key: 'p', alt: true, typing: true, group: 'play' },
  { act: 'hearSource', key: 'o', group: 'play' },
  { act: 'loop', key: 'r', group: 'play' },
  { act: 'swap', key: 'x', group: 'play' },
  { act: 'back', key: 'ArrowLeft', group: 'play' },
  { act: 'forward', key: 'ArrowRight', group: 'play' },
  { act: 'next', key: 'j', group: 'move' },
  { act: 'next', key: 'ArrowDown', group: 'move' },
  { act: 'next', key: 'ArrowDown', alt: true, typing: true, group: 'move' },
  { act: 'previous', key: 'k', group: 'move' },
  { act: 'previous', key: 'ArrowUp', group: 'move' },
  { act: 'previous', key: 'ArrowUp', alt: true, typing: true, group: 'move' },
  { act: 'problem', key: 'n', group: 'move' },
  { act: 'problem', key: 'n', alt: true, typing: true, group: 'move' },
  { act: 'problemBack', key: 'n', shift: true, group: 'move' },
  { act: 'edit', key: 'Enter', group: 'edit' },
  { act: 'split', key: 's', group: 'edit' },
  { act: 'split', key: 'Enter', mod: true, typing: true, group: 'edit' },
  { act: 'merge', key: 'm', group: 'edit' },
  { act: 'add', key: 'i', group: 'edit' },
  { act: 'remove', key: 'Delete', group: 'edit' },
  { act: 'lock', key: 'l', group: 'edit' },
  { act: 'keep', key: 'e', group: 'edit' },
  { act: 'startHere', key: '[', group: 'edit' },
  { act: 'endHere', key: ']', group: 'edit' },
  { act: 'earlier', key: ',', group: 'edit' },
  { act: 'later', key: '.', group: 'edit' },
  { act: 'undo', key: 'z', mod: true, group: 'edit' },
  { act: 'redo', key: 'z', mod: true, shift: true, group: 'edit' },
  { act: 'redo', key: 'y', mod: true, group: 'edit' },
  { act: 'regenerate', key: 'g', group: 'edit' },
  { act: 'find', key: 'f', mod: true, typing: true, group: 'view' },
  { act: 'zoomIn', key: '+', group: 'view' },
  { act: 'zoomOut', key: '-', group: 'view' },
  { act: 'fit', key: '0', group: 'view' },
  { act: 'help', key: '?', group: 'view' },
];
/** Keys whose place on a keyboard needs Shift in one country and not in another. */
const SIGNS = new Set(['?', '+', '[', ']', '-', ',', '.', '0']);

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey'>;
export interface Where {
  isTyping: boolean;
  /** Whether keys without Ctrl or Alt do anything: some people speak to their computer. */
  hasLetters: boolean;
}

/** What a key does; null for nothing of ours. */
export function actOf(pressed: Pressed, { isTyping, hasLetters }: Where): Act | null {
  const mod = pressed.ctrlKey || pressed.metaKey;
  const key = pressed.key.length === 1 ? pressed.key.toLowerCase() : pressed.key;
  for (const one of SHORTCUTS) {
    if (one.key !== key || !!one.mod !== mod || !!one.alt !== pressed.altKey) continue;
    if (!SIGNS.has(key) && !!one.shift !== pressed.shiftKey) continue;
    if (isTyping && !one.typing) continue;
    const isLetter = !mod && !pressed.altKey && key.length === 1;
    if (isLetter && !hasLetters) continue;
    return one.act;
  }
  return null;
}

/** A shortcut's keys, to be written each for itself. */
export function keysOf({ key, mod, shift, alt }: Shortcut, isMac: boolean): string[] {
  const names: Record<string, string> = {
    ' ': 'Space',
    ArrowUp: '↑',
    ArrowDown: '↓',
    ArrowLeft: '←',
    ArrowRight: '→',
    Delete: 'Del',
  };
  const shown = names[key] ?? (key.length === 1 ? key.toUpperCase() : key);
  return [
    ...(mod ? [isMac ? '⌘' : 'Ctrl'] : []),
    ...(alt ? [isMac ? '⌥' : 'Alt'] : []),
    ...(shift ? ['Shift'] : []),
    shown,
  ];
}
