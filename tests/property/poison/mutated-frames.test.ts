import { expect, test } from "vitest";
import { runCampaign } from "../../fuzz/campaign.ts";

const inputs = 10_000;

// The same inputs at every run; `npm run fuzz` tries new ones for as long as it is told.
test("frames and streams harmed in every way are read as the generated code reads them, or refused as it refuses them", () => {
  const { tried, finding } = runCampaign({ seed: 20_260_406, goesOn: (count) => count < inputs });
  if (finding !== undefined) {
    throw new Error(`input ${finding.number}: ${Buffer.from(finding.input).toString("hex")}`, { cause: finding.error });
  }
  expect(tried).toBe(inputs);
  console.log(`fact: ${tried} mutated inputs tried against the generated code`);
});
