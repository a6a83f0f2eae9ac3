import { describe, expect, test } from "vitest";
import { HostList } from "../../../../src/worker/connection/host-list.ts";

const returning = { isMoving: false };
const configured = ["a:1", "b:1", "c:1"];

describe("the addresses of hosts that a worker tries", () => {
  test("are those of its configuration in their order, from the one that it reached last", () => {
    const hosts = new HostList(configured, () => 0);
    expect(hosts.inOrder(returning)).toEqual(["a:1", "b:1", "c:1"]);
    hosts.reached("b:1");
    expect(hosts.inOrder(returning)).toEqual(["b:1", "c:1", "a:1"]);
    expect(hosts.inOrder({ isMoving: true })).toEqual(["c:1", "a:1", "b:1"]);
  });

  test("are those first that a host of a cluster has told, and the lost one last", () => {
    const hosts = new HostList(configured, () => 0.99);
    hosts.reached("a:1");
    hosts.tell(["a:1", "d:1", "e:1"]);
    expect(hosts.inOrder(returning)).toEqual(["e:1", "d:1", "b:1", "c:1", "a:1"]);
    hosts.recommend(["e:1", "d:1"]);
    expect(hosts.inOrder({ isMoving: true })).toEqual(["e:1", "d:1", "b:1", "c:1", "a:1"]);
    expect(hosts.size).toBe(5);
  });

  test("of a name behind which all hosts are, come last when the hosts are told by other names", () => {
    const hosts = new HostList(["cluster:1"], () => 0);
    hosts.reached("cluster:1");
    hosts.tell(["d:1", "e:1"]);
    expect(hosts.inOrder(returning)).toEqual(["d:1", "e:1", "cluster:1"]);
  });

  test("are told twice or in a form that no dialer can read for nothing", () => {
    const hosts = new HostList(["a:1"], () => 0);
    hosts.tell(["d:1", "", "d:1", "no address", "unix:/tmp/socket", "dns://\u001b[31m/x:1", " f:1\n", "e:1"]);
    expect(hosts.inOrder(returning)).toEqual(["d:1", "e:1", "a:1"]);
    hosts.tell([]);
    expect(hosts.inOrder(returning)).toEqual(["a:1"]);
  });

  test("are told without a scheme, and dialled with TLS by a worker whose own addresses have it", () => {
    const hosts = new HostList(["https://cluster.example:443"], () => 0);
    hosts.tell(["10.0.0.7:50051", "https://d.example:443"]);
    expect(hosts.inOrder(returning)).toEqual([
      "https://10.0.0.7:50051",
      "https://d.example:443",
      "https://cluster.example:443",
    ]);
  });
});
