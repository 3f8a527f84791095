import { beforeEach, describe, expect, it, vi } from 'vitest';
import { json, serve, problem } from '../../api/testing';
import { Hearing } from './hearing.svelte';

const sound = () => new Response(new Blob(['x']), { headers: { 'Content-Type': 'audio/wav' } });
const voice = { engine: 'espeak', target: 'es', voice: 'pablo' };
let played: string[];

describe('a voice', () => {
  beforeEach(() => {
    played = [];
    vi.stubGlobal(
      'Audio',
      class {
        onended: () => void = () => undefined;
        constructor(readonly address: string) {}
        play(): Promise<void> {
          played.push(this.address);
          return Promise.resolve();
        }
        pause(): void {
          played.push('paused');
        }
      },
    );
    let count = 0;
    vi.stubGlobal(
      'URL',
      Object.assign(URL, { createObjectURL: () => `blob:${(count += 1)}`, revokeObjectURL: vi.fn() }),
    );
  });

  it('is asked for once, and plays again from what was kept', async () => {
    const asked = serve(sound);
    const hearing = new Hearing();
    await hearing.toggle(voice);
    expect(hearing.playing).toBe(Hearing.key(voice));
    await hearing.toggle(voice);
    expect(hearing.playing).toBe('');
    await hearing.toggle(voice);
    expect(asked).toHaveLength(1);
    expect(played).toEqual(['blob:1', 'paused', 'paused', 'blob:1']);
  });

  it('that is still made is asked for again', async () => {
    const asked = serve((_, count) => (count === 1 ? json({}, 202, { 'Retry-After': '0' }) : sound()));
    await new Hearing().toggle(voice);
    expect(asked).toHaveLength(2);
    expect(played).toEqual(['blob:1']);
  });

  it('that is refused is told, and nothing waits', async () => {
    serve(() => problem(400, 'bad_option'));
    const hearing = new Hearing();
    await expect(hearing.toggle(voice)).rejects.toMatchObject({ code: 'bad_option' });
    expect(hearing.busy).toBe('');
  });
});
