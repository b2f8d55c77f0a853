/** What media needs of the capability that decodes pictures; it exists in workers only. */
export interface Rendered { bytes: Buffer, type: string, width: number, height: number, frames: number }

export interface ImageFacts { width: number, height: number, frames: number }

export interface ImagePort<F extends ImageFacts = ImageFacts> {
  probe (bytes: Buffer): Promise<F>
  render (bytes: Buffer, facts: F, signal?: AbortSignal): Promise<{
    master: Rendered
    thumb: Rendered
    placeholder: { thumbhash: string, dominantColor: string }
    perceptualHash: string
  }>
}
