using MixedPrecision.Formats;

namespace MixedPrecision.Reporting;

/// <summary>
/// A lock: the plan that was made, or that of each scenario, with all that files cannot be written without, and what it rests on. It stands beside the policy, is committed with it, and lets any machine write the same
/// bytes without a measurement. It holds no absolute path and no clock time.
/// </summary>
/// <param name="Schema">Version of the lock's schema: <see cref="CurrentSchema"/>.</param>
/// <param name="Policy">What the policy says, scalar by scalar, by the path of its key.</param>
/// <param name="Data">Files of data, of losses and of a profile that the policy names.</param>
/// <param name="Versions">Versions of all that writes the files.</param>
/// <param name="IsRewritten">Whether exact rewrites stand: they were found to be exact.</param>
/// <param name="Types">Types of values that only a run of the model has shown.</param>
/// <param name="Constants">The file beside the lock that holds what cannot be computed without data; null where there is no such.</param>
/// <param name="Models">What is emitted: one model, or one for each scenario that has a plan of its own, in their order.</param>
public sealed record PrecisionLock(
    int Schema,
    IReadOnlyDictionary<string, string> Policy,
    IReadOnlyList<LockedFile> Data,
    LockedVersions Versions,
    bool IsRewritten,
    IReadOnlyDictionary<string, LockedType> Types,
    LockedBinary? Constants,
    IReadOnlyList<LockedModel> Models)
{
    public const int CurrentSchema = 2;

    public string ToJson() => ReportJson.Write(this);
}

/// <summary>A model that is emitted.</summary>
/// <param name="Layers">The weights of layers that are written in another format.</param>
/// <param name="Manifest">The plan, what was predicted and measured, and the hashes of original and emitted model; the latter is that of all files that the model consists of, weights that it shares included.</param>
public sealed record LockedModel(IReadOnlyList<LockedLayer> Layers, Manifest Manifest);

/// <summary>A file that the policy names.</summary>
/// <param name="Key">The policy's key that names it.</param>
/// <param name="Sha256">SHA-256 of what it holds, in lower-case hexadecimal.</param>
public sealed record LockedFile(string Key, string Sha256);

/// <summary>Versions of all that writes the files: with others they would be others.</summary>
/// <param name="Emission">Of what writes models.</param>
/// <param name="Rewrites">Of exact rewrites.</param>
/// <param name="Formats">By name, of the formats that plans use.</param>
/// <param name="Structures">By name, of the structures that plans use.</param>
public sealed record LockedVersions(int Emission, int Rewrites, IReadOnlyDictionary<string, int> Formats, IReadOnlyDictionary<string, int> Structures);

/// <summary>What is known of a value.</summary>
/// <param name="ElementType">Number of its type (ONNX, TensorProto.DataType).</param>
/// <param name="Rank">Number of its dimensions.</param>
public sealed record LockedType(int ElementType, int Rank);

/// <summary>A weight of a layer in another format than the baseline.</summary>
/// <param name="Name">Name of the layer.</param>
/// <param name="Weight">Name of the weight's value.</param>
/// <param name="Format">Its format.</param>
/// <param name="Sha256">SHA-256 of the constants that the format makes of its weight.</param>
/// <param name="Ranges">The ranges that values are held in, where the format holds any.</param>
/// <param name="Stored">Where its constants lie, where data decided on them; null where the weight alone tells them.</param>
public sealed record LockedLayer(string Name, string Weight, string Format, string Sha256, LayerRanges? Ranges = null, LockedPart? Stored = null);

/// <summary>A part of the file of constants.</summary>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Bytes.</param>
/// <param name="IsBalanced">Whether scales of the input's channels come first.</param>
public sealed record LockedPart(long Offset, long Length, bool IsBalanced);

/// <summary>The file of constants.</summary>
/// <param name="Bytes">Its size.</param>
/// <param name="Sha256">SHA-256 of it, in lower-case hexadecimal.</param>
public sealed record LockedBinary(long Bytes, string Sha256);
