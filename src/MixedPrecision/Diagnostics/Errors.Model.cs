namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    /// <param name="file">The file as the user named it.</param>
    /// <param name="place">Where it is named, if that is known.</param>
    public static MixedPrecisionException ModelNotFound(string file, Place? place = null) => new(
        Codes.ModelNotFound, place ?? new Place(file), $"there is no model '{file}'. Give the path of an .onnx file; a policy's paths are relative to the policy.");

    public static MixedPrecisionException ModelNotOnnx(string file, string reason) => new(
        Codes.ModelNotOnnx, new Place(file), $"'{file}' is not an ONNX model: {reason}. Expected a protobuf file written by an ONNX exporter; check that it was copied whole.");

    public static MixedPrecisionException ExternalDataMissing(string tensor, string location) => new(
        Codes.ExternalDataMissing, new Place(Tensor: tensor), $"the model keeps this tensor in '{location}', which is not there. Put the file beside the model.");

    public static MixedPrecisionException ExternalDataOutside(string tensor, string location) => new(
        Codes.ExternalDataOutside, new Place(Tensor: tensor), $"the model keeps this tensor in '{location}', outside of its own folder. External data has to lie beside the model, without links that lead out.");

    public static MixedPrecisionException ExternalDataInvalid(string tensor, string reason) => new(
        Codes.ExternalDataInvalid, new Place(Tensor: tensor), $"the reference to external data is damaged: {reason}. Export the model again, or copy model and data files as one.");

    public static MixedPrecisionException TensorInvalid(string tensor, string reason) => new(
        Codes.TensorInvalid, new Place(Tensor: tensor), $"the tensor has {reason}, which no valid ONNX file has. Export the model again.");

    public static MixedPrecisionException GraphInvalid(string node, string reason) => new(
        Codes.GraphInvalid, new Place(Node: node), $"the graph is not valid: {reason}. Export the model again, or check it with the onnx checker.");

    public static MixedPrecisionException RuntimeRejects(string file, string reason) => new(
        Codes.RuntimeRejects, new Place(file), $"ONNX Runtime does not take the model: {reason}. The original model has to run before it can be quantized.");

    public static MixedPrecisionException TensorTooLarge(string tensor, long bytes) => new(
        Codes.TensorTooLarge, new Place(Tensor: tensor), FormattableString.Invariant(
            $"the tensor has {bytes / 1e9:0.00} GB and has to be read as one piece, which at most 2.14 GB can be. Split it among several tensors, or keep the layers that read it out of the graph."));
}
