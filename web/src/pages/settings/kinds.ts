// What a webhook may be told of.
import type { Schemas } from '../../api';

export type Kind = Schemas['HookShape']['kinds'][number];
/** What becomes of a job, the most wanted first. */
export const ENDS = ['completed', 'failed', 'cancelled', 'queued', 'started', 'deleted'] as const;
export type End = (typeof ENDS)[number];

export const kindOf = (end: End): Kind => `${'job'}.${end}`;
/** What a kind tells, without what it tells it of; `ping` is a test. */
export const endOf = (kind: string): End | 'ping' => kind.slice(kind.indexOf('.') + 1) as End;
