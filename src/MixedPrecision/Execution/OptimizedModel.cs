using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Onnx;

namespace MixedPrecision.Execution;

/// <summary>The graph that ONNX Runtime really runs: what its optimizations make of a model.</summary>
public static class OptimizedModel
{
    /// <summary>Initializers of this many bytes and more lie beside the saved graph: a message holds at most 2 GB.</summary>
    private const int ExternalFrom = 1024;

    /// <summary>Opens a model as an app does, has the runtime save the optimized graph in a temporary folder, reads it, and deletes it.</summary>
    /// <param name="path">Path of the model.</param>
    /// <param name="settings">The app's.</param>
    /// <param name="read">Reads the saved model, which is gone afterwards.</param>
    /// <exception cref="OnnxRuntimeException">The runtime does not accept the model.</exception>
    public static T Read<T>(string path, SessionSettings settings, Func<OnnxModel, T> read)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("mixed-precision-");
        try
        {
            string file = Path.Combine(folder.FullName, "optimized.onnx");
            using (SessionOptions options = (settings with { OptimizedFile = file }).ToOptions(null))
            {
                options.AddSessionConfigEntry("session.optimized_model_external_initializers_file_name", "optimized.data");
                options.AddSessionConfigEntry("session.optimized_model_external_initializers_min_size_in_bytes", $"{ExternalFrom}");
                new InferenceSession(path, options).Dispose();
            }

            using OnnxModel optimized = OnnxModel.Load(file, Path.GetFileName(path), keepDefaults: true);
            return read(optimized);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
