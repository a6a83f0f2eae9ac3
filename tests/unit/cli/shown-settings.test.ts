import { expect, test } from "vitest";
import { shownSettings } from "../../../src/cli/admin/shown-settings.ts";

test("settings are shown by name, without what is secret in addresses", () => {
  const location = { kind: "postgres", url: "postgres://ada:secret@db:5432/troupe?password=secret" } as const;
  const settings = shownSettings({
    ...{ whenFull: "drop", state: location, callTimeoutMs: 5, sharedTypes: ["a", "b"], ownOnly: false },
    ...{ cluster: "nats://ada:secret@n1:4222,nats://secret@n2:4222", jwtKeys: "https://id/keys?token=secret" },
    ...{ tokens: undefined, odd: { token: "secret" }, peerSecret: "/run/peer-file" },
  });
  expect(settings).toEqual({
    ...{
      whenFull: "drop",
      state: "postgres://db:5432/troupe",
      callTimeoutMs: 5,
      sharedTypes: ["a", "b"],
      ownOnly: false,
    },
    ...{ cluster: "nats://hidden@n1:4222,nats://hidden@n2:4222", jwtKeys: "https://id/keys?hidden" },
    ...{ tokens: null, odd: "hidden", peerSecret: "/run/peer-file" },
  });
  expect(JSON.stringify(settings)).not.toContain("secret@");
  expect(Object.keys(settings)).toEqual(Object.keys(settings).sort());
});
