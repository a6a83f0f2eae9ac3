import type { AdminRoute } from "../admin-route.ts";
import type { Activity, ActivityAnswer } from "../model/activity.ts";

/** Numbers of calls and events over time. The first question begins the counting. */
export function activityRoutes(activity: Activity): readonly AdminRoute[] {
  return [
    {
      ...{ method: "GET", path: "/v1/activity", parameters: ["step"], need: "see-all" },
      handle: async ({ query }): Promise<ActivityAnswer> =>
        activity.read(query.whole("step", { from: 0, to: Number.MAX_SAFE_INTEGER }) ?? 0),
    },
  ];
}
