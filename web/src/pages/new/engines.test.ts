import { describe, expect, it } from 'vitest';
import { cloners, roles, values, type Engine } from './engines';

const engine = (role: string, name: string, state = 'ready', options: Engine['options'] = []): Engine => ({
  role,
  name,
  state,
  options,
  version: '1',
  summary: '',
  detail: '',
  fix: '',
  languages: null,
  schema: {},
});
const ALL = [
  engine('cloner', 'elevenlabs', 'needs key'),
  engine('cloner', 'matching'),
  engine('detector', 'silero'),
  engine('downloader', 'local'),
  engine('downloader', 'ytdlp', 'ready', [
    { name: 'height', kind: 'a number', default: '', description: '', admin: false },
  ]),
  engine('novelty', 'a'),
  engine('novelty', 'b'),
  engine('synthesizer', 'elevenlabs', 'needs key'),
  engine('synthesizer', 'espeak'),
];

describe('engines', () => {
  it('stand by role in the order of a dub, what is ready first, without roles of one', () => {
    expect(roles(ALL, false).map((one) => one.role)).toEqual(['synthesizer', 'cloner', 'novelty']);
    expect(roles(ALL, false)[0]!.engines.map((one) => one.name)).toEqual(['espeak', 'elevenlabs']);
  });
  it('that fetch are shown for links, but for files of the server', () => {
    expect(roles(ALL, true)[0]).toMatchObject({ role: 'downloader', engines: [{ name: 'ytdlp' }] });
  });
  it('that clone are those whose voices somebody speaks with', () => {
    expect(cloners(ALL).map((one) => one.name)).toEqual(['elevenlabs']);
  });
  it('list the values of their options where there are few', () => {
    const option = (kind: string) => ({ name: '', kind, default: '', description: '', admin: false });
    expect(values(option('one of auto, cpu'))).toEqual(['auto', 'cpu']);
    expect(values(option('true or false'))).toEqual(['true', 'false']);
    expect(values(option('a number from 0 to 6'))).toBeNull();
  });
});
