import { expect, test } from "vitest";
import { PrometheusText } from "../../../src/cli/admin/prometheus-text.ts";
import { gauge, type Metrics } from "../../../src/core/internal.ts";

const table = { "test.answers": gauge("{answer}", "What is asked for.") };

test("measures from the first question on, once, and writes Prometheus' format", async () => {
  let begun = 0;
  const text = new PrometheusText((metrics: Metrics) => {
    begun += 1;
    return metrics.observe(table, (report) => report("test.answers", 42, { of: 'a "b"\n' }));
  });
  expect(begun).toBe(0);
  const written = await text.text();
  expect(written).toContain("# TYPE test_answers gauge\n");
  expect(written).toContain('test_answers{of="a \\"b\\"\\n"} 42\n');
  await text.text();
  expect(begun).toBe(1);
  text.close();
});

test("says which packages to install, and looks for them again with the next question", async () => {
  let count = 0;
  const text = new PrometheusText(
    () => () => {},
    async () => {
      count += 1;
      throw new Error("not there");
    },
  );
  await expect(text.text()).rejects.toThrow("not there");
  await expect(text.text()).rejects.toThrow("not there");
  expect(count).toBe(2);
});
