// Writes src/api/schema.d.ts: the types of the server's interface, from the server's own document.
// Does nothing while the document is the one the types were made of.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const web = fileURLToPath(new URL('..', import.meta.url));
const target = `${web}src/api/schema.d.ts`;
const python = process.env.AUTODUB_PYTHON ?? `${web}../.venv/bin/python`;
const text = execFileSync(python, [`${web}scripts/openapi.py`], { maxBuffer: 1 << 26, encoding: 'utf8' });
const stamp = `// Made by scripts/types.mjs of the document ${createHash('sha256').update(text).digest('hex')}.\n`;
if (!existsSync(target) || !readFileSync(target, 'utf8').startsWith(stamp)) {
  writeFileSync(target, stamp + astToString(await openapiTS(JSON.parse(text), { alphabetize: true })));
}
