using MixedPrecision.Diagnostics;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>What can be asked of manifests that are there already.</summary>
public static partial class Verbs
{
    /// <summary>A manifest for people.</summary>
    /// <exception cref="MixedPrecisionException">MPB8007: it cannot be read.</exception>
    public static ShownManifest Show(string manifestFile) => new(ManifestFile.ReadToShow(manifestFile));

    /// <summary>What differs between two manifests.</summary>
    /// <exception cref="MixedPrecisionException">MPB8007: one of them cannot be read.</exception>
    public static ManifestDiff Diff(string beforeFile, string afterFile) =>
        ManifestComparison.Of(beforeFile, ManifestFile.ReadToShow(beforeFile), afterFile, ManifestFile.ReadToShow(afterFile));
}
