export { api } from './client';
export { connection } from './connection.svelte';
export { jobLive, jobsLive, type JobLive } from './live.svelte';
export { ApiProblem, isAborted, problemOf } from './problem';
export { resource, type Resource } from './resource.svelte';
export { session } from './session.svelte';
export { Upload } from './upload.svelte';
export type { Job, JobEvent, JobRow, JobState, Me, Schemas, UploadedFile } from './types';
