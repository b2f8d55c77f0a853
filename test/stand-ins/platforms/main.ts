import { parseArgs } from 'node:util'
import { runAsProcess } from '../process.ts'
import { mainJobFaults, startPlatforms } from './index.ts'

/** The ready line of this process. */
export interface PlatformsReady {
  origin: string
  control: string
}

const { values } = parseArgs({
  options: {
    small: { type: 'boolean', default: false },
    'main-job-faults': { type: 'boolean', default: false },
    'face-port': { type: 'string', default: '0' },
    'control-port': { type: 'string', default: '0' },
    'media-bytes-per-second': { type: 'string' }
  }
})

await runAsProcess(async () => {
  const speed = values['media-bytes-per-second']
  const platforms = await startPlatforms({
    small: values.small,
    facePort: Number(values['face-port']),
    controlPort: Number(values['control-port']),
    mediaBytesPerSecond: speed === undefined ? undefined : Number(speed)
  })
  const faults = values['main-job-faults'] ? mainJobFaults({ small: values.small }) : []
  for (const fault of faults) platforms.faults.add(fault)
  return { ready: { origin: platforms.origin, control: platforms.controlOrigin }, close: platforms.close }
})
