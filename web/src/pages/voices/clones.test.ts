import { expect, it } from 'vitest';
import type { Schemas } from '../../api';
import { clonesOf } from './clones';

const voice = (job: string, speaker: string, name: string): Schemas['ClonedShape'] => ({
  job,
  speaker,
  voice: name,
  created: 1,
  engine: 'matching',
  sample: 'f'.repeat(64),
});

it('clones of a job are told by their speakers; where none came of it there is none', () => {
  const consent = {
    id: 'c',
    who: 'Jane',
    voices: [voice('a', 'S1', 'x'), voice('a', 'S2', ''), voice('b', 'S3', 'y')],
  };
  const found = clonesOf([consent as unknown as Schemas['ConsentShape']], 'a');
  expect([...found]).toEqual([['S1', { consent: 'c', who: 'Jane' }]]);
});
