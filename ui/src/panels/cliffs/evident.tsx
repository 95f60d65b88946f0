import { type Course, courseOf, type Evidence } from "../../lens";
import type { Live } from "../../live";
import { useAnswer } from "../../parts/answer";
import { CourseChart } from "../../parts/course";
import { Said } from "../../parts/said";

/** How often a course is read. */
const EVERY_MS = 5_000;

/** What speaks for a cliff: each signal in words, and its course. */
export function Evident({ live, evidence }: { live: Live; evidence: Evidence[] }) {
  if (evidence.length === 0) return null;
  return (
    <>
      <h3>Evidence</h3>
      <ul class="evidence">
        {evidence.map((one) => (
          <li key={courseOf(one)}>
            <Said text={one.text} />
            <code class="quiet">{[one.signal, one.label].filter(Boolean).join(" ")}</code>
            <Measured live={live} evidence={one} />
          </li>
        ))}
      </ul>
    </>
  );
}

function Measured({ live, evidence }: { live: Live; evidence: Evidence }) {
  const course = useAnswer<Course>(live, courseOf(evidence), EVERY_MS);
  return course ? <CourseChart course={course} label={course.about ?? evidence.signal} /> : <div class="course" />;
}
