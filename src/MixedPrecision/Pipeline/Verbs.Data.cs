using MixedPrecision.Diagnostics;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>What a policy needs besides a model.</summary>
public static partial class Verbs
{
    /// <summary>Makes calibration data of images, texts, arrays, tables and recorded inputs.</summary>
    /// <exception cref="MixedPrecisionException">MPB2xxx: the model cannot be read; MPB3xxx: the data cannot be, or do not fit it; MPB8005: a file to write is one that is read; MPB8004: it cannot be written.</exception>
    public static DataReport Data(DataRequest request, RunOptions options) => DataMaking.Make(request, options);
}
