// Engines by what they do: which are ready, and what would make the others so.
import type { Schemas } from '../../api';

export type Engine = Schemas['EngineShape'];
export type Option = Engine['options'][number];
export interface Role {
  role: string;
  engines: Engine[];
}

/** In the order in which a dub asks them. */
const ORDER = [
  'downloader',
  'detector',
  'transcriber',
  'diarizer',
  'separator',
  'translator',
  'synthesizer',
  'cloner',
];
export const isReady = (engine: Engine): boolean => engine.state === 'ready';

/** Roles in which there is something to choose; what fetches is of no use for an upload. */
export function roles(engines: readonly Engine[], hasLink: boolean): Role[] {
  const found = new Map<string, Engine[]>();
  for (const one of engines) {
    // Files of the server's own are no source here.
    if (one.role === 'downloader' && (!hasLink || one.name === 'local')) continue;
    found.set(one.role, [...(found.get(one.role) ?? []), one]);
  }
  const place = (role: string): number => (ORDER.indexOf(role) + ORDER.length + 1) % (ORDER.length + 1);
  return [...found]
    .filter(([, own]) => own.length > 1 || own.some((one) => one.options.length > 0))
    .map(([role, own]) => ({
      role,
      engines: own.sort((a, b) => Number(isReady(b)) - Number(isReady(a)) || a.name.localeCompare(b.name)),
    }))
    .sort((a, b) => place(a.role) - place(b.role));
}

/** Who makes voices that are the speakers' own: a cloner whose voices a synthesizer of the same name speaks with. */
export function cloners(engines: readonly Engine[]): Engine[] {
  const speakers = new Set(engines.filter((one) => one.role === 'synthesizer').map((one) => one.name));
  return engines.filter((one) => one.role === 'cloner' && speakers.has(one.name));
}

/** The values an option may have, where they can be listed; null: anything may be typed. */
export function values(option: Option): string[] | null {
  if (option.kind === 'true or false') return ['true', 'false'];
  const said = /^one of (.+)$/.exec(option.kind);
  return said ? said[1]!.split(', ') : null;
}
