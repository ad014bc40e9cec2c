namespace MixedPrecision.Diagnostics;

/// <summary>The identity of a diagnostic: its code and its title. Cause and remedy stand in build/docs/errors.md.</summary>
public sealed record ErrorCode(string Id, string Title);

/// <summary>
/// Every code a user can meet, once. Numbers within a range have no gap; a retired code stays here, marked.
/// 1xxx policy, 2xxx model, 3xxx data, 4xxx calibration, 5xxx benchmark, 6xxx solver, 7xxx quantization and
/// verification, 8xxx cache and files, 9xxx build and command line.
/// The factory methods stand in <see cref="Errors"/>, one file per range.
/// </summary>
public static class Codes
{
    // 2xxx: model
    public static readonly ErrorCode ModelNotFound = new("MPB2001", "model not found");
    public static readonly ErrorCode ModelNotOnnx = new("MPB2002", "not an ONNX model");
    public static readonly ErrorCode ExternalDataMissing = new("MPB2003", "external data missing");
    public static readonly ErrorCode ExternalDataOutside = new("MPB2004", "external data outside of the model's folder");
    public static readonly ErrorCode ExternalDataInvalid = new("MPB2005", "external data reference damaged");
    public static readonly ErrorCode TensorInvalid = new("MPB2006", "tensor invalid");
    public static readonly ErrorCode GraphInvalid = new("MPB2007", "graph invalid");
    public static readonly ErrorCode RuntimeRejects = new("MPB2008", "ONNX Runtime rejects the model");

    // 8xxx: cache and files
    public static readonly ErrorCode CacheNotWritable = new("MPB8001", "cache folder not writable");
    public static readonly ErrorCode LockUnavailable = new("MPB8002", "benchmark lock unavailable");
}
