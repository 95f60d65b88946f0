import { defineConfig, type Plugin } from "vite";

/** Where a running console answers while the page is developed (`npm run dev`). */
const CONSOLE = "http://127.0.0.1:9000";

/**
 * Puts scripts and styles into the page, so that the build is one file that the binary embeds and that
 * asks for nothing else. The server allows each by its hash (see `asset.rs`).
 */
function oneFile(): Plugin {
  return {
    name: "one-file",
    enforce: "post",
    generateBundle(_, bundle) {
      const page = bundle["index.html"];
      if (page?.type !== "asset") throw new Error("the build gave no index.html");
      let html = String(page.source);
      let body = "";
      for (const [name, file] of Object.entries(bundle)) {
        if (file === page) continue;
        if (file.type === "chunk") {
          // `</script` may stand in a string of the code; `<\/script` means the same there.
          body += `<script type="module">${file.code.trim().replaceAll("</script", "<\\/script")}</script>\n`;
        } else if (name.endsWith(".css")) {
          html = html.replace("</head>", () => `<style>${String(file.source).trim()}</style>\n  </head>`);
        } else {
          throw new Error(`${name} cannot be put into the page`);
        }
        delete bundle[name];
      }
      html = html.replace(/\s*<(script|link)\b[^>]*\b(src|rel="stylesheet")[^>]*>(<\/script>)?/g, "");
      page.source = html.replace("</body>", () => `${body}  </body>`);
      page.fileName = "console.html";
    },
  };
}

export default defineConfig({
  plugins: [oneFile()],
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    outDir: "../crates/lens/src/console",
    emptyOutDir: false,
    modulePreload: false,
    cssCodeSplit: false,
    target: "es2022",
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": { target: CONSOLE, changeOrigin: true } } },
});
