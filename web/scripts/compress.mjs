// Writes name.gz and name.br beside every asset that becomes smaller by it: the server sends them as they are.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const folder = fileURLToPath(new URL('../../src/autodub/web/assets/assets/', import.meta.url));
const plain = /\.(js|css|svg|json|webmanifest|wasm)$/;
for (const name of readdirSync(folder)) {
  if (!plain.test(name) || statSync(folder + name).size < 512) continue;
  const content = readFileSync(folder + name);
  const gzip = gzipSync(content, { level: 9 });
  const brotli = brotliCompressSync(content, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
  });
  if (gzip.length < content.length) writeFileSync(`${folder}${name}.gz`, gzip);
  if (brotli.length < content.length) writeFileSync(`${folder}${name}.br`, brotli);
}
