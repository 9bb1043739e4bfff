import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds the server: the page asks for its own paths, and this one process hands them on. */
const server = process.env.RILLGATE_URL ?? 'http://localhost:3000';

/** Writes FILE.br and FILE.gz beside each text, so that whoever serves the build has nothing to compress. */
function precompress(): Plugin {
  return {
    name: 'precompress',
    apply: 'build',
    enforce: 'post',
    async generateBundle(_, bundle) {
      for (const { fileName, ...file } of Object.values(bundle)) {
        if (!/\.(js|css|html|svg)$/.test(fileName)) continue;
        const plain = Buffer.from(file.type === 'chunk' ? file.code : file.source);
        for (const [suffix, compress] of [
          ['br', brotliCompress],
          ['gz', gzip],
        ] as const) {
          const source = await promisify(compress as typeof gzip)(plain);
          this.emitFile({ type: 'asset', fileName: `${fileName}.${suffix}`, source });
        }
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), precompress()],
  server: {
    proxy: {
      '^/(v[1-4]/|feeds/|(healthz|readyz)$)': {
        target: server,
        // The Host stays the one that the browser asked for: the server compares it with the Origin of a POST.
        changeOrigin: false,
        configure: (proxy) => {
          // When the server dies, its streams break here too; left alone, the proxy would keep them open for ever.
          proxy.on('proxyRes', (answer, _, response) =>
            answer.on('close', () => answer.complete || response.destroy()),
          );
        },
      },
    },
  },
  build: {
    // A file of its own for each asset: a data: URL would need a looser content security policy.
    assetsInlineLimit: 0,
  },
  test: {
    environment: 'jsdom',
    include: ['tests/**/*.test.{ts,tsx}'],
    restoreMocks: true,
  },
});
