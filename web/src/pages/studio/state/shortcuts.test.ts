import { describe, expect, test } from 'vitest';
import { SHORTCUTS, actOf, keysOf } from './shortcuts';

describe('keys', () => {
  const press = (key: string, more: Partial<KeyboardEvent> = {}): Parameters<typeof actOf>[0] => ({
    key,
    ctrlKey: false,
    metaKey: false,
    shiftKey: false,
    altKey: false,
    ...more,
  });
  const free = { isTyping: false, hasLetters: true };
  test('letters do something, but not while one types or has switched them off', () => {
    expect(actOf(press('j'), free)).toBe('next');
    expect(actOf(press('j'), { ...free, isTyping: true })).toBeNull();
    expect(actOf(press('j'), { ...free, hasLetters: false })).toBeNull();
    expect(actOf(press('ArrowDown'), { ...free, hasLetters: false })).toBe('next');
  });
  test('Shift, Ctrl and Command tell keys apart', () => {
    expect(actOf(press('n'), free)).toBe('problem');
    expect(actOf(press('N', { shiftKey: true }), free)).toBe('problemBack');
    expect(actOf(press('z', { ctrlKey: true }), free)).toBe('undo');
    expect(actOf(press('z', { metaKey: true, shiftKey: true }), free)).toBe('redo');
    expect(actOf(press('?', { shiftKey: true }), free)).toBe('help');
    expect(actOf(press('?'), free)).toBe('help');
    expect(actOf(press('j', { ctrlKey: true }), free)).toBeNull();
  });
  test('no two shortcuts share their keys', () => {
    const all = SHORTCUTS.map((one) => keysOf(one, false).join('+'));
    expect(new Set(all).size).toBe(all.length);
  });
});
