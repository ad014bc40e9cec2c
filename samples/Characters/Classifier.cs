using Microsoft.ML.OnnxRuntime;

namespace Characters;

/// <summary>Tells which character a picture shows.</summary>
/// <param name="modelFile">The original or the emitted model: the app runs them alike.</param>
/// <param name="classes">Names in the order of the model's scores.</param>
public sealed class Classifier(string modelFile, IReadOnlyList<string> classes) : IDisposable
{
    private readonly InferenceSession session = Open(modelFile);
    private readonly RunOptions runOptions = new();

    /// <summary>Bytes of the model's file.</summary>
    public long Bytes { get; } = new FileInfo(modelFile).Length;

    /// <summary>The most likely class and its probability.</summary>
    /// <param name="pixels">As <see cref="Picture.Read"/> gives them.</param>
    public (string Class, double Share) Classify(float[] pixels)
    {
        using OrtValue image = OrtValue.CreateTensorValueFromMemory(pixels, [1, 1, Picture.Size, Picture.Size]);
        var inputs = new Dictionary<string, OrtValue> { ["image"] = image };
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(runOptions, inputs, ["logits"]);
        float[] scores = outputs[0].GetTensorDataAsSpan<float>().ToArray();
        float largest = scores.Max();
        return (classes[Array.IndexOf(scores, largest)], 1 / scores.Sum(score => Math.Exp(score - largest)));
    }

    public void Dispose()
    {
        session.Dispose();
        runOptions.Dispose();
    }

    private static InferenceSession Open(string modelFile)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 2 };
        return new InferenceSession(modelFile, options);
    }
}
