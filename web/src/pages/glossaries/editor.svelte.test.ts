import { flushSync } from 'svelte';
import { describe, expect, it } from 'vitest';
import { json, serve } from '../../api/testing';
import { Editor } from './editor.svelte';

const whole = (text: string, id = 'a'.repeat(32)) => ({
  id,
  name: 'Names',
  created: 1,
  updated: 2,
  targets: null,
  terms: null,
  text,
});
function within(work: () => void): void {
  const end = $effect.root(() => {
    work();
    flushSync();
  });
  end();
}
const words = (editor: Editor): string[][] => editor.table.rows.map((row) => [row.term, ...row.words]);

describe('a glossary that is edited', () => {
  it('is changed only while it differs from what is kept', () => {
    within(() => {
      const editor = new Editor(whole('term,translation\na,b\n'));
      const id = editor.table.rows[0]!.id;
      expect(editor.isChanged).toBe(false);
      editor.word(id, 0, 'c');
      expect(editor.isChanged).toBe(true);
      editor.word(id, 0, 'b');
      expect(editor.isChanged).toBe(false);
      editor.add();
      expect(editor.isChanged).toBe(false);
    });
  });

  it('gives back a row that was taken out, where it was', () => {
    within(() => {
      const editor = new Editor(whole('a = 1\nb = 2\nc = 3\n'));
      const id = editor.table.rows[1]!.id;
      editor.remove(id);
      expect(words(editor).map(([term]) => term)).toEqual(['a', 'c']);
      editor.putBack(id);
      expect(words(editor).map(([term]) => term)).toEqual(['a', 'b', 'c']);
    });
  });

  it('takes cells of a spreadsheet, adding rows that are missing', () => {
    within(() => {
      const editor = new Editor(whole('term,es,fr\na,b,c\n'));
      expect(editor.paste(0, 1, 'x\ty\tz\nu\tv\n')).toBe(2);
      expect(words(editor)).toEqual([
        ['a', 'x', 'y'],
        ['', 'u', 'v'],
      ]);
    });
  });

  it('makes translations for any language those of the first one that is named', () => {
    within(() => {
      const editor = new Editor(whole('a = b\n'));
      editor.addLanguage('es');
      editor.addLanguage('fr');
      expect(editor.csv).toBe('term,es,fr\na,b,\n');
      editor.removeLanguage('es');
      expect(editor.csv).toBe('term,fr\na,\n');
    });
  });

  it('shows the rows that hold a text, or that have something wrong, with their places', () => {
    within(() => {
      const editor = new Editor(whole('a = b\nA = c\nd = beta\n'));
      editor.text = 'B';
      expect(editor.rows.map((one) => one.index)).toEqual([0, 2]);
      editor.text = '';
      editor.shown = 'wrong';
      expect(editor.rows.map((one) => one.index)).toEqual([1]);
      expect(editor.errors).toBe(1);
    });
  });

  it('that is left unsaved is as it was left when somebody comes back', () => {
    within(() => {
      const editor = new Editor(whole('a = b\n', 'b'.repeat(32)));
      editor.name = 'Other';
      editor.leave();
      const again = new Editor(whole('a = b\n', 'b'.repeat(32)));
      expect([again.name, again.isRestored]).toEqual(['Other', true]);
      again.discard();
      expect([again.name, again.isRestored, again.isChanged]).toEqual(['Names', false, false]);
    });
  });

  it('is kept as text, and is unchanged then', async () => {
    const asked = serve(() => json(whole('term,translation,case\na,c,\n')));
    const editor = new Editor(whole('a = b\n'));
    editor.word(editor.table.rows[0]!.id, 0, 'c');
    await editor.save();
    expect(JSON.parse(String(asked[0]!.init.body))).toEqual({
      name: 'Names',
      text: 'term,translation,case\na,c,\n',
      terms: null,
    });
    expect(editor.isChanged).toBe(false);
  });
});
