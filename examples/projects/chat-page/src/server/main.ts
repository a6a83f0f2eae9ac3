// `npm start`, then open http://127.0.0.1:8080 in two tabs.
import { findPython } from "./programs.ts";
import { serveChat } from "./serve-chat.ts";

const python = findPython();
if (python === undefined) {
  console.error(
    "A Python with AutoGen is missing: pip install 'autogen-ext[grpc]==0.7.5', and set TROUPE_PYTHON to it",
  );
  process.exit(77);
}
await using served = await serveChat({ port: 8080, python });
console.log(`open ${served.url} in two tabs`);
await new Promise((resolve) => process.once("SIGINT", resolve).once("SIGTERM", resolve));
