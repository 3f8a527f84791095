import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The name that the browser knows is passed on: the server looks whether a change comes from its own pages.
const server = { target: process.env.AUTODUB_SERVER ?? 'http://127.0.0.1:5000', changeOrigin: false };

export default defineConfig({
  plugins: [svelte()],
  // The server puts a nonce of its own in its place with every answer.
  html: { cspNonce: 'AUTODUB_NONCE' },
  build: {
    outDir: '../src/autodub/web/assets',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': server, '/health': server, '/docs': server, '/openapi.json': server } },
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  test: { environment: 'jsdom', include: ['src/**/*.test.ts'], unstubGlobals: true },
});
