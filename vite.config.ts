import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vite';

/** Builds `web/` into `dist/web`, which the server serves. JSX goes through esbuild, so no React plugin is needed. */
export default defineConfig({
  root: 'web',
  plugins: [tailwindcss()],
  esbuild: { jsx: 'automatic' },
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    target: 'es2022',
    manifest: true,
    // An inlined preload polyfill would be an inline script for old browsers only; every browser we target preloads modules itself.
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { '/socket.io': { target: 'http://127.0.0.1:8080', ws: true } },
  },
});
