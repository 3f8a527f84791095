// Names for what the server sends, and the shapes of its operations.
import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Me = Schemas['Me'];
/** A job with everything of it, as `GET /jobs/ID` answers. */
export type Job = Schemas['JobShape'];
/** A job as lists and the stream of all jobs have it. */
export type JobRow = Schemas['JobPage']['jobs'][number];
export type JobState = Job['state'];
export type JobEvent = Schemas['EventShape'];
export type UploadedFile = Schemas['UploadShape'];

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
type Operation<P extends keyof paths, M extends Method> = Exclude<paths[P][M], undefined>;
/** Every path of the interface that has a method. */
export type PathsWith<M extends Method> = {
  [P in keyof paths]: Operation<P, M> extends never ? never : P;
}[keyof paths];

type Content<R> = R extends { content: { 'application/json': infer B } } ? B : never;
type Good = 200 | 201 | 202 | 204;
/** What an operation answers when all went well; `undefined` where there is no JSON. */
export type Answer<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { responses: infer R }
    ? [Content<R[keyof R & Good]>] extends [never]
      ? undefined
      : Content<R[keyof R & Good]>
    : never;

type Part<P extends keyof paths, M extends Method, K extends 'path' | 'query' | 'header'> =
  Operation<P, M> extends { parameters: infer A }
    ? K extends keyof A
      ? Exclude<A[K], undefined>
      : never
    : never;
type Json<B> = [B] extends [never]
  ? never
  : B extends { content: { 'application/json': infer C } }
    ? C
    : never;
type Body<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { requestBody?: infer B } ? Json<Exclude<B, undefined>> : never;

type Given<K extends string, T, Needed extends boolean> = [T] extends [never]
  ? { [N in K]?: undefined }
  : Needed extends true
    ? { [N in K]: T }
    : { [N in K]?: T };

/** What a call is given. `path` and `body` must be there where the operation has them. */
export type Wishes<P extends keyof paths, M extends Method> = Given<'path', Part<P, M, 'path'>, true> &
  Given<'query', Part<P, M, 'query'>, false> &
  Given<'body', Body<P, M>, true> & {
    headers?: Record<string, string>;
    signal?: AbortSignal;
  };
