// Makes dist/ of the sources: the same bytes each time. Names have a hash of their content, so that they may be kept for ever.
//   node build.mjs [DIRECTORY]
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const into = process.argv[2] ?? join(here, 'dist');

async function bundle(entry) {
	const made = await build({
		absWorkingDir: here,
		entryPoints: [entry],
		bundle: true,
		minify: true,
		write: false,
		legalComments: 'none',
		target: 'es2020',
		format: entry.endsWith('.css') ? undefined : 'iife',
		define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
		conditions: ['browser'],
		mainFields: ['browser', 'module', 'main'],
		inject: entry.endsWith('.css') ? [] : ['src/shims/globals.js'],
		alias: {
			ws: './src/shims/none.cjs',
			'worker-timers': './src/shims/none.cjs',
			debug: './src/shims/silent.cjs',
			stream: 'readable-stream',
			net: './src/shims/none.cjs',
			url: './src/shims/none.cjs',
			dns: './src/shims/none.cjs',
			util: './src/shims/none.cjs',
			assert: './src/shims/none.cjs',
		},
		logLevel: 'warning',
	});
	return Buffer.from(made.outputFiles[0].contents);
}

function write(name, content) {
	writeFileSync(join(into, name), content);
	const zipped = gzipSync(content, { level: constants.Z_BEST_COMPRESSION });
	zipped[9] = 255; // of no system in particular
	writeFileSync(join(into, `${name}.gz`), zipped);
	return zipped.length;
}

const parts = {
	app: ['js', await bundle('src/main.js')],
	style: ['css', await bundle('src/style.css')],
	icon: ['svg', readFileSync(join(here, 'src/icon.svg'))],
};
mkdirSync(into, { recursive: true });
for (const name of readdirSync(into)) rmSync(join(into, name));
let page = readFileSync(join(here, 'src/index.html'), 'utf8');
let bare = 0;
let zipped = 0;
for (const [part, [suffix, content]] of Object.entries(parts)) {
	const hash = createHash('sha256').update(content).digest('hex').slice(0, 10);
	const name = `${part}-${hash}.${suffix}`;
	page = page.replace(`${part}.${suffix}`, name);
	zipped += write(name, content);
	bare += content.length;
}
zipped += write('index.html', page);
bare += page.length;
console.log(`${bare} bytes, ${zipped} with gzip`);
