// Lines for tests.
import type { Edited, Line, Transcript } from './document';
import type { Operation } from './operations';

export function line(id: string, start: number, more: Partial<Line> = {}): Line {
  const fields = {
    speaker: 'S1',
    start,
    end: start + 1.5,
    source: `source of ${id}`,
    text: `words of ${id}`,
    keep_original: false,
    ...more,
  };
  const { speaker, end, source, text, keep_original } = fields;
  return {
    id,
    note: '',
    timing: { start, end: start + 1.4, rate: 1, stretch: 1, flags: [] },
    edited: false,
    stale: false,
    added: false,
    locked: null,
    made: { speaker, start: fields.start, end, source, text, keep_original },
    ...fields,
  };
}

export function transcript(lines: Line[] = [line('L1', 0), line('L2', 2), line('L3', 4)]): Transcript {
  const voice = { voice: 'pablo', pitch_hz: null, pace: 1 };
  const speakers = [...new Set(['S1', 'S2', ...lines.map((one) => one.speaker)])];
  return {
    job: 'a'.repeat(32),
    revision: 1,
    made: 1,
    stale: false,
    spoken: 'en',
    target: 'es',
    lines,
    removed: [],
    speakers: speakers.map((name) => ({
      name,
      voice: { ...voice },
      made: { ...voice },
      lines: lines.filter((one) => one.speaker === name).length,
      edited: false,
      stale: false,
    })),
  };
}

/** What a server makes of operations, as the real one does; throws what `refuse` gives for one of them. */
export class FakeServer {
  now: Transcript;
  /** Every request for changes: how many operations, for which revision. */
  asked: { operations: Operation[]; revision: number }[] = [];
  locks: string[] = [];
  refuse: (operation: Operation) => Error | null = () => null;
  away: (() => Error) | null = null;
  /** Whether the next answer is lost on its way. */
  losesAnswer = false;
  old: (revision: number) => Error = () => new Error('old');

  constructor(start: Transcript = transcript()) {
    this.now = start;
  }
  transcript = (): Promise<Transcript> =>
    this.away ? Promise.reject(this.away()) : Promise.resolve(structuredClone(this.now));

  patch = (operations: Operation[], revision: number): Promise<Edited> => {
    if (this.away) return Promise.reject(this.away());
    this.asked.push({ operations, revision });
    if (revision !== this.now.revision) return Promise.reject(this.old(this.now.revision));
    for (const one of operations) {
      const refusal = this.refuse(one);
      if (refusal) return Promise.reject(refusal);
    }
    return this.do(operations);
  };

  do(operations: Operation[]): Promise<Edited> {
    const touched = new Set<string>();
    let lines = structuredClone(this.now.lines);
    const speakers = structuredClone(this.now.speakers);
    for (const one of operations) {
      if (one.op === 'voice') {
        const { op: _, speaker, ...values } = one;
        Object.assign(speakers.find((each) => each.name === speaker)!.voice!, values);
        continue;
      }
      const id = 'line' in one && one.line ? one.line : (one as { id: string }).id;
      touched.add(id);
      if (one.op === 'remove') lines = lines.filter((each) => each.id !== id);
      else if (one.op === 'add') {
        const { speaker, start, end, text, source } = one;
        const fields = { speaker, start, end, text, source: source ?? '' };
        lines.push({ ...line(id, start, fields), added: true, made: null, timing: null });
      } else if (one.op === 'undo') {
        if (!lines.some((each) => each.id === id)) lines.push(line(id, 0));
      } else if (one.op === 'set') {
        const { op: _, line: __, new_speaker: ___, ...values } = one;
        Object.assign(
          lines.find((each) => each.id === id)!,
          values,
          { edited: true, stale: true },
        );
      }
    }
    lines.sort((a, b) => a.start - b.start);
    const revision = this.now.revision + 1;
    const before = this.now.lines;
    const present = new Set(lines.map((each) => each.id));
    const removed = [...touched].filter((id) => !present.has(id));
    this.now = {
      ...this.now,
      revision,
      stale: true,
      lines,
      speakers,
      removed: [
        ...this.now.removed.filter((each) => !present.has(each.id)),
        ...removed.map((id) => ({ id, source: before.find((each) => each.id === id)?.source ?? '' })),
      ],
    };
    if (this.losesAnswer) {
      this.losesAnswer = false;
      return Promise.reject(this.away?.() ?? new TypeError('lost'));
    }
    const { job, made, stale } = this.now;
    const changed = structuredClone(lines.filter((each) => touched.has(each.id)));
    return Promise.resolve({ job, made, stale, revision, lines: changed, removed, speakers });
  }
  lock = (id: string): Promise<void> => {
    this.locks.push(`+${id}`);
    return Promise.resolve();
  };
  unlock = (id: string): Promise<void> => {
    this.locks.push(`-${id}`);
    return Promise.resolve();
  };
}
