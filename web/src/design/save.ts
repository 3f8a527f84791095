// Files that the page makes itself.

/** Have the browser keep a text as a file. */
export function saveText(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A name that every system takes for a file. */
export const fileName = (text: string): string =>
  text
    .replace(/[^\p{L}\p{N}._ -]+/gu, '_')
    .replace(/^[. ]+|[. ]+$/g, '')
    .slice(0, 80) || 'autodub';

const quoted = (cell: string): string =>
  /[",\r\n]|^[\s#]|\s$/.test(cell) ? `"${cell.replace(/"/g, '""')}"` : cell;

/** Rows as CSV (RFC 4180). What a spreadsheet would take for a formula is marked as text. */
export function csv(rows: readonly (readonly (string | number)[])[]): string {
  const safe = (cell: string | number): string =>
    typeof cell === 'number' ? String(cell) : quoted(/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell);
  return rows.map((row) => `${row.map(safe).join(',')}\r\n`).join('');
}

export { quoted };
