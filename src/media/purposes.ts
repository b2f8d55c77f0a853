const MiB = 1024 * 1024

export interface Purpose { types: readonly string[], maxBytes: number }

const photoTypes = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/tiff']

/** Policies by name, of those whose pipeline exists (`media.md` 3.3). */
export const purposes: Record<string, Purpose> = {
  avatar: { types: photoTypes.slice(0, 4), maxBytes: 10 * MiB },
  photo: { types: photoTypes, maxBytes: 30 * MiB },
  story: { types: photoTypes, maxBytes: 30 * MiB }
}
