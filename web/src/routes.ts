// Every page there is. Each is a file of its own that is loaded when it is first shown.
import type { Route } from './router.svelte';

export const ROUTES: readonly Route[] = [
  { path: '/', section: 'new', load: () => import('./pages/new/Page.svelte') },
  { path: '/jobs', section: 'jobs', load: () => import('./pages/jobs/Page.svelte') },
  { path: '/jobs/:job', section: 'jobs', load: () => import('./pages/job/Page.svelte') },
  {
    path: '/jobs/:job/studio',
    section: 'jobs',
    full: true,
    load: () => import('./pages/studio/Page.svelte'),
  },
  { path: '/voices', section: 'voices', load: () => import('./pages/voices/Page.svelte') },
  { path: '/glossaries', section: 'glossaries', load: () => import('./pages/glossaries/Page.svelte') },
  { path: '/usage', section: 'usage', load: () => import('./pages/usage/Page.svelte') },
  { path: '/settings', section: 'settings', load: () => import('./pages/settings/Page.svelte') },
  { path: '/admin', section: 'admin', admin: true, load: () => import('./pages/admin/Page.svelte') },
  { path: '/sign-in', section: '', bare: true, load: () => import('./pages/signin/Page.svelte') },
];
