import { describe, expect, it } from 'vitest';
import { within } from './pages/signin/within';
import { match, type Route } from './router.svelte';
import { ROUTES } from './routes';

const path = (address: string): string | undefined => match(ROUTES, address).route?.path;

describe('addresses', () => {
  it('lead to the page that they name', () => {
    expect(path('/')).toBe('/');
    expect(path('/jobs/')).toBe('/jobs');
    expect(match(ROUTES, '/jobs/a%20b/studio')).toMatchObject({
      route: { path: '/jobs/:job/studio' } satisfies Partial<Route>,
      params: { job: 'a b' },
    });
  });
  it('that nobody has lead nowhere', () => {
    for (const address of ['/nothing', '/jobs/1/2/3', '/jobs/%E0%A4%A', '/docs'])
      expect(path(address)).toBeUndefined();
  });
  it('after signing in stay within the app', () => {
    expect(within('/jobs?state=failed#x')).toBe('/jobs?state=failed#x');
    for (const evil of [
      null,
      '',
      'jobs',
      '//evil.example',
      '/\\evil.example',
      'https://evil.example',
      '/sign-in?next=/',
    ])
      expect(within(evil)).toBe('/');
  });
});
