// What every bench shares: arms that take turns, medians, one table, one file of results, one exit code.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform } from 'node:os'
import { dirname, join } from 'node:path'

export interface Arm { name: string, run: () => Promise<number> }

export interface Measured { name: string, median: number, least: number, most: number, values: number[] }

/** Runs all arms in turns, as often as `rounds` says, after one round that does not count. */
export async function interleave (
  arms: readonly Arm[], { rounds = 5, say = progress }: { rounds?: number, say?: (line: string) => void } = {}
) {
  const values = new Map<string, number[]>(arms.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    // Every other round runs backwards, so that no arm always comes after the same one.
    for (const { name, run } of round % 2 === 0 ? arms : arms.toReversed()) {
      const value = await run()
      if (round > 0) values.get(name)?.push(value)
    }
    say(round === 0 ? 'warm' : `round ${round} of ${rounds}`)
  }
  return new Map(arms.map(({ name }) => [name, summarize(name, values.get(name) ?? [])]))
}

export function summarize (name: string, values: number[]): Measured {
  const sorted = values.toSorted((a, b) => a - b)
  return { name, median: median(sorted), least: sorted[0] ?? NaN, most: sorted.at(-1) ?? NaN, values }
}

function median (sorted: readonly number[]): number {
  const middle = sorted.length / 2
  return sorted.length % 2 === 1
    ? sorted[Math.floor(middle)] as number
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}

export interface Verdict {
  id: string
  what: string
  unit: string
  ours: Measured
  baseline: Measured
  /** The ratio ours / baseline must be at least, or at most, this. */
  must: { atLeast: number } | { atMost: number }
  goal?: number
}

/** Prints the table, writes `bench/results/<area>.json`, and sets exit code 1 where a must is missed. */
export function report (
  area: string, verdicts: readonly Verdict[], notes: readonly string[] = [], { isKept = true } = {}
): void {
  const judged = verdicts.map((verdict) => ({ ...verdict, ratio: verdict.ours.median / verdict.baseline.median }))
  for (const one of judged) print(one)
  for (const note of notes) process.stdout.write(`${note}\n`)
  if (isKept) keep(area, { notes, verdicts: judged })
  if (judged.some(({ ratio, must }) => !holds(ratio, must))) process.exitCode = 1
}

function print ({ id, what, unit, ours, baseline, ratio, must, goal }: Verdict & { ratio: number }): void {
  const bound = 'atLeast' in must ? `>= ${must.atLeast}` : `<= ${must.atMost}`
  process.stdout.write(`${id}  ${what}\n` +
      `    ours      ${show(ours)} ${unit}\n    baseline  ${show(baseline)} ${unit} (${baseline.name})\n` +
      `    ratio     ${ratio.toFixed(3)}  must ${bound}${goal === undefined ? '' : `, goal ${goal}`}  ` +
      `${holds(ratio, must) ? 'ok' : 'MISSED'}\n`)
}

function keep (area: string, results: object): void {
  const file = join(import.meta.dirname, 'results', `${area}.json`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify({ ...surroundings(), ...results }, null, 2)}\n`)
}

function holds (ratio: number, must: Verdict['must']): boolean {
  return 'atLeast' in must ? ratio >= must.atLeast : ratio <= must.atMost
}

function show ({ median, least, most }: Measured): string {
  return `${number(median)} (${number(least)} to ${number(most)})`
}

function number (value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 2 : 0 })
}

function surroundings () {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    version: string, dependencies: Record<string, string>
  }
  return {
    at: new Date().toISOString(),
    node: process.version,
    version: manifest.version,
    dependencies: manifest.dependencies,
    machine: `${platform()} ${arch()}, ${availableParallelism()} cores, ${cpus()[0]?.model ?? 'unknown'}`
  }
}

function progress (line: string): void {
  process.stderr.write(`${line}\n`)
}
