import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  // `npm run dev` serves the page alone, beside `npm start`. The short form of `proxy` would change the name of the host, and the gateway would
  // refuse the page as one of another site.
  server: { host: "127.0.0.1", proxy: { "/api": { target: "http://127.0.0.1:8080" } } },
});
