// Files that the server makes only when somebody asks for them: 202 says when to ask again.
import { connection } from '../../api';
import { address, ask } from '../../api/client';

/** Wait until a file is there. Throws ApiProblem where it cannot be made, AbortError when not wanted any more. */
export async function made(path: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const answer = await ask(address(path, {}, { wait: 5 }), {
      headers: { Accept: '*/*', Range: 'bytes=0-0' },
      signal,
    });
    await answer.body?.cancel();
    if (answer.status !== 202) return;
    await connection.pause(Math.max(1, Number(answer.headers.get('Retry-After') ?? 1)) * 1000, signal);
  }
}

/** Have the browser save what lies at an address of ours. */
export function save(path: string): void {
  const link = document.createElement('a');
  link.href = path;
  link.download = '';
  link.click();
}
