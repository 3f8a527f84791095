// A glossary while somebody changes it.
import { SvelteMap } from 'svelte/reactivity';
import { api, type Schemas } from '../../api';
import { check, isBlank, KEEP, merge, newRow, read, write, type Row, type Table } from './table';

type Whole = Schemas['GlossaryWhole'];
export type Shown = 'all' | 'wrong';

/** Changes that were not kept before somebody went to another page, by the glossary. */
const left = new Map<string, { table: Table; name: string; base: Whole }>();

export class Editor {
  name = $state('');
  /** Of columns and rows; changed as a whole, so that thousands of rows stay quick. */
  table = $state.raw<Table>({ head: 'term', languages: null, rows: [] });
  /** Only rows with this in one of their cells. */
  text = $state('');
  shown = $state<Shown>('all');
  /** Comments that keeping it will lose. */
  comments = $state(0);
  /** Whether what is here was left unsaved before. */
  isRestored = $state(false);
  base = $state.raw<Whole>()!;

  readonly issues = $derived(check(this.table));
  readonly errors = $derived([...this.issues.values()].filter((one) => one.isError).length);
  readonly columns = $derived(this.table.languages?.length ?? 1);
  readonly terms = $derived(this.table.rows.filter((row) => !isBlank(row)).length);
  #kept = $state.raw('');
  #now = $derived(write(this.table));
  readonly isChanged = $derived(this.name.trim() !== this.base.name || this.#now !== this.#kept);
  /** Rows that are shown, each with its place among all. */
  readonly rows = $derived.by(() => {
    const wanted = this.text.trim().toLowerCase();
    const all = this.table.rows.map((row, index) => ({ row, index }));
    if (!wanted && this.shown === 'all') return all;
    return all.filter(
      ({ row }) =>
        (this.shown === 'all' || this.issues.has(row.id)) &&
        (!wanted || [row.term, ...row.words].some((one) => one.toLowerCase().includes(wanted))),
    );
  });
  #undo = new SvelteMap<number, { row: Row; index: number }>();

  constructor(found: Whole) {
    this.#take(found);
    const draft = left.get(found.id);
    if (draft && draft.base.updated === found.updated) {
      this.table = draft.table;
      this.name = draft.name;
      this.isRestored = true;
    }
    left.delete(found.id);
  }

  #take(found: Whole): void {
    const table = read(found.text);
    this.base = found;
    this.name = found.name;
    this.comments = table.comments;
    const { head, languages, rows } = table;
    this.table = { head, languages, rows: rows.length ? rows : [newRow(languages?.length ?? 1)] };
    this.#kept = write(this.table);
    this.isRestored = false;
  }

  discard(): void {
    this.#take(this.base);
  }
  /** Somebody goes: what was changed is here when they come back. */
  leave(): void {
    if (this.isChanged) left.set(this.base.id, { table: this.table, name: this.name, base: this.base });
  }

  change(id: number, change: Partial<Row>): void {
    const rows = this.table.rows.map((row) => (row.id === id ? { ...row, ...change } : row));
    this.table = { ...this.table, rows };
  }
  word(id: number, column: number, word: string): void {
    const row = this.table.rows.find((one) => one.id === id);
    if (row) this.change(id, { words: row.words.map((old, index) => (index === column ? word : old)) });
  }
  keep(id: number, isKept: boolean): void {
    this.change(id, { words: Array<string>(this.columns).fill(isKept ? KEEP : '') });
  }

  /** A new row after that place, or at the end; its id. */
  add(after = this.table.rows.length - 1): number {
    const row = newRow(this.columns);
    this.table = { ...this.table, rows: this.table.rows.toSpliced(after + 1, 0, row) };
    return row.id;
  }
  remove(id: number): void {
    const index = this.table.rows.findIndex((row) => row.id === id);
    const row = this.table.rows[index];
    if (!row) return;
    this.#undo.set(id, { row, index });
    this.table = { ...this.table, rows: this.table.rows.toSpliced(index, 1) };
  }
  putBack(id: number): void {
    const gone = this.#undo.get(id);
    if (!gone) return;
    this.#undo.delete(id);
    const words = Array.from({ length: this.columns }, (_, index) => gone.row.words[index] ?? '');
    const rows = this.table.rows.toSpliced(gone.index, 0, { ...gone.row, words });
    this.table = { ...this.table, rows };
  }

  /** Cells of a spreadsheet, from that row and column on; rows that are missing are added. */
  paste(index: number, column: number, text: string): number {
    const lines = text.replace(/[\r\n]+$/, '').split(/\r\n|\r|\n/);
    const rows = [...this.table.rows];
    lines.forEach((line, down) => {
      const row = rows[index + down] ?? newRow(this.columns);
      const cells = [row.term, ...row.words];
      line.split('\t').forEach((cell, right) => {
        if (column + right < cells.length) cells[column + right] = cell.trim();
      });
      rows[index + down] = { ...row, term: cells[0]!, words: cells.slice(1) };
    });
    this.table = { ...this.table, rows };
    return lines.length;
  }

  addLanguage(tag: string): void {
    const { languages, rows } = this.table;
    if (languages?.includes(tag)) return;
    this.table = {
      ...this.table,
      languages: [...(languages ?? []), tag],
      // Translations for any language become those of the first one that is named.
      rows: languages ? rows.map((row) => ({ ...row, words: [...row.words, ''] })) : rows,
    };
  }
  removeLanguage(tag: string): void {
    const at = this.table.languages?.indexOf(tag) ?? -1;
    if (at < 0) return;
    const rows = this.table.rows.map((row) => ({
      ...row,
      words: row.words.filter((_, index) => index !== at),
    }));
    this.table = { ...this.table, languages: this.table.languages!.filter((one) => one !== tag), rows };
  }
  merge(from: Table, prefer: 'here' | 'file'): void {
    this.table = merge(this.table, from, prefer);
  }
  get csv(): string {
    return this.#now;
  }

  /** Whether somebody else has changed it since it was got. */
  async isOld(): Promise<boolean> {
    const now = await api.get('/api/v1/glossaries/{glossary}', { path: { glossary: this.base.id } });
    return now.updated !== this.base.updated;
  }
  async save(): Promise<void> {
    const body = { name: this.name.trim(), text: this.#now, terms: null };
    this.#take(await api.patch('/api/v1/glossaries/{glossary}', { path: { glossary: this.base.id }, body }));
  }
}
